"""The BLS aggregator: collects operators' votes, and answers a task on chain once a quorum has signed."""
