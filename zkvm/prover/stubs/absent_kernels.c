/* Stands in for circuit kernels that a build leaves out (tools/build_prover.sh): each answers with an error message.
 *
 * The kernels of the keccak and recursion circuits take longer to compile than all the rest and are of no use without
 * the recursion programs. The caller takes a null pointer for success and frees a message, so it is made with malloc.
 */
#include <stdlib.h>
#include <string.h>

static const char *absent(const char *kernel) {
    static const char tail[] = " is not part of this build, see tools/build_prover.sh";
    char *message = malloc(strlen(kernel) + sizeof tail);
    if (message == NULL) abort();
    return strcat(strcpy(message, kernel), tail);
}

#define ABSENT(name) \
    const char *name(void); \
    const char *name(void) { return absent(#name); }

ABSENT(risc0_circuit_keccak_cpu_witgen)
ABSENT(risc0_circuit_keccak_cpu_poly_fp)
ABSENT(risc0_circuit_recursion_cpu_witgen)
ABSENT(risc0_circuit_recursion_cpu_accum)
ABSENT(risc0_circuit_recursion_cpu_eval_check)

#ifdef WITHOUT_RV32IM /* a build that only executes */
ABSENT(risc0_circuit_rv32im_cpu_witgen)
ABSENT(risc0_circuit_rv32im_cpu_accum)
ABSENT(risc0_circuit_rv32im_cpu_poly_fp)
#endif
