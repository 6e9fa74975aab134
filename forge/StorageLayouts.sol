// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {AggregationModePaymentService} from "../contracts/AggregationModePaymentService.sol";
import {AlignedLayerServiceManager} from "../contracts/AlignedLayerServiceManager.sol";
import {AlignedProofAggregationService} from "../contracts/AlignedProofAggregationService.sol";
import {BatcherPaymentService} from "../contracts/BatcherPaymentService.sol";
import {OperatorRegistry} from "../contracts/OperatorRegistry.sol";

// The compiler reports the layout of state variables only, not of namespaced structs: so one variable for each struct.
// tools/storage_layouts.py reads these; nothing deploys them.

contract AggregationModePaymentServiceLayout {
    AggregationModePaymentService.SubscriptionStorage internal namespaced;
}

contract AlignedLayerServiceManagerLayout {
    AlignedLayerServiceManager.ServiceStorage internal namespaced;
}

contract AlignedProofAggregationServiceLayout {
    AlignedProofAggregationService.AggregationStorage internal namespaced;
}

contract BatcherPaymentServiceLayout {
    BatcherPaymentService.PaymentStorage internal namespaced;
}

contract OperatorRegistryLayout {
    OperatorRegistry.RegistryStorage internal namespaced;
}
