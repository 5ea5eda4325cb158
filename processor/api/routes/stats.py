"""What many sessions took together: statistics, users, models."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query, Request
from pydantic import Field
from starlette.responses import Response

from processor.api.authentication import Tenant
from processor.api.context import Context
from processor.api.exports.tables import MODELS, USERS
from processor.api.exports.wanted import FILES, export_limit, exported, format_of, page_limit
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
_KEPT_FROM_SESSIONS: Final = 100_000  # statistics of fewer are always made anew


class StatsParameters(FilterParameters):
    """Everything `GET /v1/sessions/stats` understands."""

    interval: Interval | None = Field(
        default=None, description=f"Of the series, at most {INTERVALS_MAX} of them; by default so that few are shown."
    )
    top: int = Field(default=10, ge=1, le=TOP_MAX, description="Entries of each list of the largest.")


def stats_routes(context: Context) -> APIRouter:
    """`/v1/sessions/stats`, `/v1/users` and `/v1/models`."""
    router, pool = APIRouter(), context.pool

    @router.get("/v1/sessions/stats", openapi_extra={"parameters": [METADATA_PARAMETER]})
    def session_stats(
        tenant: Tenant,
        parameters: Annotated[StatsParameters, Query()],
        wanted: Annotated[SessionFilter, Depends(session_filter)],
    ) -> StatsItem:
        """Of the sessions that the same filters select, whole. A session stands in the interval in which it started.

        Quantiles are those of a DDSketch, within one percent of the value; everything else is exact.
        """
        return context.kept.of(
            ("stats", tenant, wanted, parameters.interval, parameters.top),
            lambda: stats(tenant, parameters, wanted),
            lambda item, _: item.data.session_count >= _KEPT_FROM_SESSIONS,
        )

    def stats(tenant: str, parameters: StatsParameters, wanted: SessionFilter) -> StatsItem:
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

    @router.get("/v1/users", response_model=UserList, responses=FILES)
    def list_users(
        tenant: Tenant,
        parameters: Annotated[UserParameters, Query()],
        wanted: Annotated[UserFilter, Depends(user_filter)],
        request: Request,
    ) -> UserList | Response:
        """What each user's sessions took; sessions without a user are no user's."""
        order, offset = (parameters.sort_by, parameters.sort_order), parameters.offset
        if (kind := format_of(parameters, request)) != "json":
            most = export_limit(parameters)
            return exported(context, kind, USERS, lambda it: it.stream_users(tenant, wanted, *order, most, offset))
        limit = page_limit(parameters)
        with pool.reader() as queries:
            rows, total = queries.list_users(
                tenant, wanted, sort_by=order[0], sort_order=order[1], limit=limit, offset=offset
            )
        page = Pagination(total=total, limit=limit, offset=offset)
        return UserList(data=[user_of(row) for row in rows], pagination=page)

    @router.get("/v1/models", response_model=ModelList, responses=FILES)
    def list_models(
        tenant: Tenant, parameters: Annotated[ModelParameters, Query()], request: Request
    ) -> ModelList | Response:
        """What each model took over all sessions; first those that most calls have no price for."""
        unpriced, offset = parameters.unpriced, parameters.offset
        if (kind := format_of(parameters, request)) != "json":
            most = export_limit(parameters)
            return exported(context, kind, MODELS, lambda it: it.stream_models(tenant, unpriced, most, offset))
        limit = page_limit(parameters)
        with pool.reader() as queries:
            rows, total = queries.list_models(tenant, unpriced=unpriced, limit=limit, offset=offset)
        page = Pagination(total=total, limit=limit, offset=offset)
        return ModelList(data=[model_usage_of(row) for row in rows], pagination=page)

    return router
