"""What an operator sees of each category: `GET /cache/categories`, and the gauges."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cachemw_policies.decision import threshold_in_force, ttl_in_force

from cachemw.accounting.ledger import Accounts, AccountView
from cachemw.admin.categories import Benefit, CategoryView, Estimate
from cachemw.categories.board import Categories, Standing
from cachemw.levels import LoadLevels
from cachemw.metrics import Metrics
from cachemw.quotas.evictor import Evictor
from cachemw.quotas.view import CategoryUse

# A threshold that nothing reaches, where there is none.
_NEVER = 1.01


class CategoryViews:
    """Puts together what the parts know of each category."""

    def __init__(
        self,
        categories: Categories,
        accounts: Accounts,
        levels: LoadLevels,
        evictor: Evictor,
        metrics: Metrics,
    ) -> None:
        self._categories = categories
        self._accounts = accounts
        self._levels = levels
        self._evictor = evictor
        self._metrics = metrics

    def view(self) -> Sequence[CategoryView]:
        """Return all categories of the policy file, in its order."""
        return self._views(self._evictor.view())

    def gauges(self) -> None:
        """Bring the gauges up to date."""
        metrics, uses = self._metrics, self._evictor.view()
        for view in self._views(uses):
            name = view.policy.name
            metrics.entries.labels(name).set(view.entries)
            metrics.category_bytes.labels(name).set(view.bytes)
            metrics.paused.labels(name).set(view.paused)
            metrics.net_seconds.labels(name).set(view.benefit.seconds)
            metrics.net_usd.labels(name).set(view.benefit.usd)
        for name, use in uses.items():
            metrics.entitlement.labels(name).set(use.entitled.entries)
        for model, level in self._levels:
            metrics.load_level.labels(metrics.model_label(model)).set(level)

    def _views(self, uses: Mapping[str, CategoryUse]) -> list[CategoryView]:
        accounts, names = self._accounts.view(), self._categories.policies.names
        return [self._view(name, accounts.get(name), uses) for name in names]

    def _view(
        self, name: str, account: AccountView | None, uses: Mapping[str, CategoryUse]
    ) -> CategoryView:
        policy = self._categories.policy(name)
        standing, load, use = self._categories.standing(name), self._levels.highest, uses[name]
        return CategoryView(
            policy=policy,
            entries=int(use.held.entries),
            bytes=int(use.held.size),
            share=use.share,
            entitlement=use.entitlement,
            lookups=0 if account is None else account.totals.lookups,
            hits=0 if account is None else account.totals.hits,
            threshold=threshold_in_force(policy, standing.state, load),
            normal=standing.state.normal,
            overload=standing.state.overload,
            load=load,
            ttl=ttl_in_force(policy, load),
            false_hits=_estimate(standing),
            benefit=_benefit(account),
            paused=account is not None and account.paused,
        )


def shown(metrics: Metrics, name: str, standing: Standing) -> None:
    """Set the gauges of what was worked out for a category."""
    estimate, state = standing.estimate, standing.state
    normal, overload = state.normal.threshold, state.overload.threshold
    metrics.threshold.labels(name).set(_NEVER if normal is None else normal)
    metrics.threshold_overload.labels(name).set(_NEVER if overload is None else overload)
    metrics.false_hits.labels(name).set(estimate.ratio)
    metrics.false_hits_low.labels(name).set(estimate.low)
    metrics.false_hits_high.labels(name).set(estimate.high)


def _estimate(standing: Standing) -> Estimate:
    known = standing.estimate
    if not known.labels:
        return Estimate()
    return Estimate(known.ratio, known.low, known.high, round(known.labels))


def _benefit(account: AccountView | None) -> Benefit:
    if account is None:
        return Benefit(0.0, 0.0, "unknown")
    totals = account.totals
    seconds, usd = totals.saved_s - totals.cost_s, totals.saved_usd - account.cost_usd
    return Benefit(seconds, usd, account.verdict.value)
