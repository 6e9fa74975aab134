"""PostgreSQL as the integration tests have it."""

from tests.integration.conftest import postgres, postgres_server

__all__ = ["postgres", "postgres_server"]
