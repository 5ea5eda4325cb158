"""`DELETE /v1/sessions/{id}`: answered when no answer has the session any more; its rows go by and by.

Must never wait for rows to be removed: a session may have a million spans.
"""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel, Field

from processor.api.authentication import Tenant
from processor.api.context import Context
from processor.api.paths import SessionId
from processor.api.units import iso_utc
from processor.clock import now_ns
from processor.model import NANOS_PER_MILLI
from processor.store.deletions import SessionDeletions


class Deletion(BaseModel):
    """A deleted session."""

    id: str
    deleted_at: str
    blocked_until: str = Field(description="Late spans do not bring it back before; then its id may be used anew.")


class DeletionItem(BaseModel):
    """The answer."""

    data: Deletion


def deletion_routes(context: Context, deletions: SessionDeletions) -> APIRouter:
    """The route."""
    router = APIRouter()

    @router.delete("/v1/sessions/{session_id}")
    def delete_session(tenant: Tenant, session_id: SessionId) -> DeletionItem:
        """Delete a session, its traces, spans and log records; also one that is not known (yet)."""
        now_ms = now_ns() // NANOS_PER_MILLI
        blocked_until_ms = deletions.delete(tenant, session_id, now_ms)
        context.kept.clear()
        deleted_at, blocked_until = (iso_utc(ms * NANOS_PER_MILLI) for ms in (now_ms, blocked_until_ms))
        return DeletionItem(data=Deletion(id=session_id, deleted_at=deleted_at, blocked_until=blocked_until))

    return router
