// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {AggregationModePaymentService} from "../../contracts/AggregationModePaymentService.sol";
import {AlignedProxy} from "../../contracts/AlignedProxy.sol";
import {AlignedAccessManager} from "../../contracts/access/AlignedAccessManager.sol";

/// @notice The payment service of aggregation mode behind its proxy.
library Subscriptions {
    uint256 internal constant PRICE = 3_500_000 gwei;
    uint256 internal constant PROOFS = 100;
    uint256 internal constant PERIOD = 30 days;
    uint256 internal constant MAX_AHEAD = 90 days;

    /// @notice `admin` holds every role.
    function open(address admin, address recipient) internal returns (AggregationModePaymentService) {
        address manager = address(new AlignedAccessManager(admin));
        bytes memory call = abi.encodeCall(
            AggregationModePaymentService.initialize, (manager, recipient, PRICE, PROOFS, PERIOD, MAX_AHEAD)
        );
        address code = address(new AggregationModePaymentService());
        return AggregationModePaymentService(payable(address(new AlignedProxy(code, call))));
    }
}
