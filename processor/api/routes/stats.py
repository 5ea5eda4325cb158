"""What many sessions took together: statistics, users, models."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query
from pydantic import Field

from processor.api.context import Context
from processor.api.models import ModelList, Pagination, model_usage_of
from processor.api.parameters import (
    METADATA_PARAMETER,
    FilterParameters,
    ModelParameters,
    UserParameters,
    invalid,
    session_filter,
    user_filter,
)
from processor.api.stats import StatsItem, UserList, default_interval, intervals_between, stats_of, user_of
from processor.store.queries import INTERVALS_MAX, Interval, SessionFilter, UserFilter

TOP_MAX: Final = 100


class StatsParameters(FilterParameters):
    """Everything `GET /v1/sessions/stats` understands."""

    interval: Interval | None = Field(
        default=None, description=f"Of the series, at most {INTERVALS_MAX} of them; by default so that few are shown."
    )
    top: int = Field(default=10, ge=1, le=TOP_MAX, description="Entries of each list of the largest.")


def stats_routes(context: Context) -> APIRouter:
    """`/v1/sessions/stats`, `/v1/users` and `/v1/models`."""
    router, pool, tenant = APIRouter(), context.pool, context.tenant

    @router.get("/v1/sessions/stats", openapi_extra={"parameters": [METADATA_PARAMETER]})
    def session_stats(
        parameters: Annotated[StatsParameters, Query()],
        wanted: Annotated[SessionFilter, Depends(session_filter)],
    ) -> StatsItem:
        """Of the sessions that the same filters select, whole. A session stands in the interval in which it started.

        Quantiles are those of a DDSketch, within one percent of the value; everything else is exact.
        """
        with pool.reader() as queries:
            starts = queries.starts_of_sessions(tenant, wanted) or (0, 0)
            interval = parameters.interval or default_interval(*starts)
            if len(intervals_between(interval, *starts)) > INTERVALS_MAX:
                message = f"makes more than {INTERVALS_MAX} of these sessions; choose a longer one or a shorter range"
                raise invalid("interval", message, interval)
            total, series = queries.session_series(tenant, wanted, interval)
            tops = queries.session_tops(tenant, wanted, parameters.top)
            users = queries.session_users(tenant, wanted, parameters.top)
        return StatsItem(data=stats_of(total, series, tops, users, interval))

    @router.get("/v1/users")
    def list_users(
        parameters: Annotated[UserParameters, Query()], wanted: Annotated[UserFilter, Depends(user_filter)]
    ) -> UserList:
        """What each user's sessions took; sessions without a user are no user's."""
        with pool.reader() as queries:
            rows, total = queries.list_users(
                tenant,
                wanted,
                sort_by=parameters.sort_by,
                sort_order=parameters.sort_order,
                limit=parameters.limit,
                offset=parameters.offset,
            )
        return UserList(data=[user_of(row) for row in rows], pagination=Pagination.of(parameters, total))

    @router.get("/v1/models")
    def list_models(parameters: Annotated[ModelParameters, Query()]) -> ModelList:
        """What each model took over all sessions; first those that most calls have no price for."""
        with pool.reader() as queries:
            rows, total = queries.list_models(
                tenant, unpriced=parameters.unpriced, limit=parameters.limit, offset=parameters.offset
            )
        return ModelList(data=[model_usage_of(row) for row in rows], pagination=Pagination.of(parameters, total))

    return router
