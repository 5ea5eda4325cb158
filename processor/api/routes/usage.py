"""What models took."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from processor.api.context import Context
from processor.api.models import ModelList, Pagination, model_usage_of
from processor.api.parameters import ModelParameters


def usage_routes(context: Context) -> APIRouter:
    """`/v1/models`."""
    router, pool, tenant = APIRouter(), context.pool, context.tenant

    @router.get("/v1/models")
    def list_models(parameters: Annotated[ModelParameters, Query()]) -> ModelList:
        """What each model took over all sessions; first those that most calls have no price for."""
        with pool.reader() as queries:
            rows, total = queries.list_models(
                tenant, unpriced=parameters.unpriced, limit=parameters.limit, offset=parameters.offset
            )
        return ModelList(data=[model_usage_of(row) for row in rows], pagination=Pagination.of(parameters, total))

    return router
