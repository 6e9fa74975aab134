"""Database and aggregators as the integration tests have them."""

from tests.integration.conftest import postgres, postgres_server
from tests.integration.proof_aggregator.conftest import make, queue_db

__all__ = ["make", "postgres", "postgres_server", "queue_db"]
