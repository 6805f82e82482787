"""The promise of every table, in and out.

A name with * belongs to the grain: no two rows are alike in it. A type with ? may be null.
What each column means, with its unit, is in GLOSSARY.md (tests/test_glossary.py holds them equal).
"""

import narwhals as nw

from retention.tables.rules import Rule, at_least, ordered, promise, rate

FIRST_DAY = -25_566  # 1900-01-02: databases write the day before where they know none
REFUNDS = "book refunds as a kind of event of their own, or leave them out by `only:`"
ID = Rule(
    "customer_id",
    "has no space around it and is not empty",
    nw.col("customer_id").is_null()
    | (
        (nw.col("customer_id").str.strip_chars() == nw.col("customer_id"))
        & (nw.col("customer_id").str.len_chars() > 0)
    ),
    "trim the ids in every table of the source",
)
SCALES = {"nps": range(11), "csat": range(1, 6)}  # kinds of survey: the scores that there are
SCORE, ANSWERED = nw.col("score"), nw.col("answered_day")
ANSWERS = (
    Rule(
        "kind",
        "is nps or csat",
        nw.col("kind").is_in([*SCALES]),
        "write these two so, and leave other surveys out by `only:`",
    ),
    Rule(
        "score",
        "is a whole number from 0 to 10 (nps) or 1 to 5 (csat)",
        SCORE.is_null()
        | ~nw.col("kind").is_in([*SCALES])
        | ((nw.col("kind") == "nps") & SCORE.is_in([*map(float, SCALES["nps"])]))
        | ((nw.col("kind") == "csat") & SCORE.is_in([*map(float, SCALES["csat"])])),
        "bring scores to that scale, or leave these surveys out by `only:`",
    ),
    Rule(
        "answered_day",
        "is known where a score is",
        SCORE.is_null() | ~ANSWERED.is_null(),
        "give the day of every answer: without it nobody knows whether it came by the snapshot",
    ),
    Rule(
        "score",
        "is known for every answer to a kind of survey that has scores",
        SCORE.max().over("kind").is_null() | ANSWERED.is_null() | ~SCORE.is_null(),
        "leave the day of an answer empty where no score was given",
    ),
)

PROMISES = {
    "events": promise(
        "the source",
        "in",
        "customer_id* text, day* whole, second whole?, kind text, order_id text?, "
        "amount_cents whole?, product text?, category text?, channel text?",
        ID,
        at_least("day", 0, "a date before 1970 is a placeholder: give the true one"),
        at_least("amount_cents", 0, REFUNDS),
        Rule(
            "amount_cents",
            "is known for every event of a kind that has amounts",
            nw.col("amount_cents").max().over("kind").is_null() | ~nw.col("amount_cents").is_null(),
            "give the missing amounts, or give these events another kind",
        ),
        unique=False,
    ),
    "customers": promise(
        "the source",
        "in",
        "customer_id* text, started_day whole?",
        ID,
        at_least("started_day", FIRST_DAY, "a date this old is a placeholder: leave it empty"),
        further=True,
    ),
    "contracts": promise(
        "the source",
        "in",
        "customer_id* text, started_day* whole, ended_day whole?, booked_day whole?, "
        "cause text?, plan text?, amount_cents whole?",
        ID,
        at_least("started_day", FIRST_DAY, "a date this old is a placeholder: give the true one"),
        ordered("started_day", "ended_day", "a contract cannot end before it starts"),
        at_least("amount_cents", 0, "give amounts per 30 days, not credits"),
    ),
    "surveys": promise(
        "the source",
        "in",
        "customer_id* text, sent_day* whole, answered_day whole?, kind* text, score real?",
        ID,
        at_least("sent_day", 0, "a date before 1970 is a placeholder: give the true one"),
        ordered("sent_day", "answered_day", "an answer cannot come before its question"),
        *ANSWERS,
    ),
    "activity": promise(
        "tables",
        "customer",
        "customer_id* text, day* whole, kind* text, events whole, orders whole, amount_cents whole",
        at_least("events", 1),
        at_least("orders", 0),
        at_least("amount_cents", 0),
    ),
    "habits": promise(
        "tables",
        "customer",
        "customer_id* text, channel* text?, weekday* whole, hour* whole?, events whole, first_day "
        "whole",
        at_least("events", 1),
    ),
    "baskets": promise(
        "tables",
        "customer",
        "customer_id* text, day* whole, product* text?, category* text?, amount_cents whole",
        at_least("amount_cents", 0),
    ),
    "terms": promise(
        "tables",
        "customer",
        "customer_id* text, started_day* whole, ended_day whole?, booked_day whole?, cause text?, "
        "plan text?, amount_cents whole?",
        ordered("started_day", "ended_day"),
    ),
    "surveys_at": promise(
        "tables",
        "customer",
        "customer_id* text, sent_day* whole, answered_day whole?, kind* text, score real?",
        ordered("sent_day", "answered_day"),
        *ANSWERS,
    ),
    "spells": promise(
        "tables",
        "customer",
        "customer_id* text, spell* whole, entry_day whole, start_day whole, end_day whole?, "
        "duration_days whole?, event_observed truth?, cause text?, plan text?, excluded text?",
        at_least("spell", 1),
        at_least("duration_days", 1),
        ordered("start_day", "entry_day"),
        ordered("start_day", "end_day"),
        Rule(
            "duration_days",
            "is known unless the spell is excluded",
            nw.col("duration_days").is_null() == ~nw.col("excluded").is_null(),
        ),
    ),
    "customers_at": promise(
        "tables",
        "customer",
        "customer_id* text, started_day whole?, spell whole?, start_day whole?, last_day whole?, "
        "in_risk_set truth, tenure_days whole?, days_since_last_activity whole?, "
        "active_days_total whole, orders_total whole, amount_cents_total whole, active_days_90d "
        "whole, events_90d whole, orders_90d whole, amount_cents_90d whole, amount_cents_365d "
        "whole, events_per_30d real?, cents_per_order_90d real?, weekend_share_90d real?, "
        "order_share_90d real?, active_days_28d whole, active_days_before whole, days_before "
        "whole, usage_ratio real?, usage_trend real?, silence_ratio real?, booked_end_in_days "
        "whole?, ended_days_ago whole?",
        at_least("tenure_days", 1),
        at_least("days_since_last_activity", 0),
        at_least("booked_end_in_days", 1),
        at_least("ended_days_ago", 0),
        *rate("weekend_share_90d"),
        further=True,
    ),
    "exclusions": promise("tables", "aggregate", "rule* text, n whole?", at_least("n", 0)),
    "intake": promise(
        "tables", "aggregate", "table* text, measure* text, n whole?", at_least("n", 0)
    ),
    "data_quality": promise(
        "00_data", "aggregate", "table* text, column* text?, measure* text, value real"
    ),
    "data_profile": promise(
        "00_data",
        "aggregate",
        "table* text, column* text, level* text, lower real?, upper real?, n whole?",
    ),
    "data_checks": promise(
        "00_data",
        "aggregate",
        "check* text, of* text, value real?, expected real?, lower real?, upper real?, "
        "previous real?, verdict text, sentence text",
    ),
    "churn_window": promise(
        "05_definition",
        "aggregate",
        "after_days* whole, reference_days whole, n whole?, wrongly_gone real?, "
        "ci_lower_wrongly_gone real?, ci_upper_wrongly_gone real?, n_active whole?, "
        "wrongly_active real?, ci_lower_wrongly_active real?, ci_upper_wrongly_active real?, "
        "chosen truth",
        *rate("wrongly_gone", "wrongly_active"),
    ),
    "returns_after_silence": promise(
        "05_definition",
        "aggregate",
        "after_days* whole, within_days* whole, n whole?, customers whole?, returned whole?, "
        "share real?, ci_lower real?, ci_upper real?",
        *rate("share", "ci_lower", "ci_upper"),
    ),
    "lifecycle": promise(
        "10_customers",
        "customer",
        "customer_id* text, lifecycle text, rfm text?, rfm_score text?, engagement text?, "
        "intent text?, trend real?, trend_lower real?, trend_upper real?, silent_detractor truth?",
        at_least("trend_lower", 0),
        ordered("trend_lower", "trend_upper"),
    ),
    "lifecycle_shares": promise(
        "10_customers",
        "aggregate",
        "lifecycle* text, n whole?, share real?, ci_lower real?, ci_upper real?, "
        "share_of_amount real?",
        *rate("share", "ci_lower", "ci_upper", "share_of_amount"),
    ),
    "lifecycle_flows": promise(
        "10_customers",
        "aggregate",
        "before* text, lifecycle* text, flow text, n whole?, share real?, ci_lower real?, "
        "ci_upper real?",
        *rate("share", "ci_lower", "ci_upper"),
    ),
    "lifecycle_balance": promise("10_customers", "aggregate", "customers* text, n whole?"),
    "rfm_groups": promise(
        "10_customers",
        "aggregate",
        "rfm* text, n whole?, share real?, ci_lower real?, ci_upper real?, "
        "days_since_last_order real?, orders real?, share_of_amount real?",
        *rate("share", "ci_lower", "ci_upper", "share_of_amount"),
    ),
    "engagement_shares": promise(
        "10_customers",
        "aggregate",
        "by* text, group* text, n whole?, share real?, ci_lower real?, ci_upper real?, "
        "share_of_amount real?",
        *rate("share", "ci_lower", "ci_upper", "share_of_amount"),
    ),
    "readiness": promise(
        "10_customers",
        "aggregate",
        "intent* text, n whole?, n_before whole?, ordered whole?, share real?, ci_lower real?, "
        "ci_upper real?",
        *rate("share", "ci_lower", "ci_upper"),
    ),
    "survey_scores": promise(
        "10_customers",
        "aggregate",
        "by* text, group* text, kind* text, n_asked whole?, n_answered whole?, score real?, "
        "ci_lower real?, ci_upper real?, share_answered real?, answered_lower real?, "
        "answered_upper real?",
        at_least("score", -100),
        *rate("share_answered", "answered_lower", "answered_upper"),
    ),
    "survival_curves": promise(
        "20_survival",
        "aggregate",
        "by* text, group* text, duration_days* whole, at_risk whole, events whole, survival "
        "real, ci_lower real, ci_upper real",
        *rate("survival", "ci_lower", "ci_upper"),
    ),
    "survival_tests": promise(
        "20_survival",
        "aggregate",
        "by* text, group* text?, other* text?, test text, n whole, statistic real, df whole, "
        "p_value real, p_adjusted real?",
        *rate("p_value", "p_adjusted"),
    ),
    "restricted_means": promise(
        "20_survival",
        "aggregate",
        "by* text, group* text, other text?, from_days whole, tau_days whole, n whole, "
        "mean_days real, ci_lower real?, ci_upper real?, difference real?, "
        "difference_lower real?, difference_upper real?, p_adjusted real?",
        at_least("mean_days", 0),
        *rate("p_adjusted"),
    ),
    "incidence": promise(
        "20_survival",
        "aggregate",
        "cause* text, by* text, group* text, duration_days* whole, at_risk whole, events whole, "
        "incidence real, ci_lower real?, ci_upper real?",
        *rate("incidence", "ci_lower", "ci_upper"),
    ),
    "returns": promise(
        "20_survival",
        "aggregate",
        "by* text, group* text, duration_days* whole, at_risk whole, events whole, returned "
        "real, ci_lower real?, ci_upper real?",
        *rate("returned", "ci_lower", "ci_upper"),
    ),
    "hazard_ratios": promise(
        "20_survival",
        "aggregate",
        "cause* text, term* text, period* text, n whole, events whole, hazard_ratio real, ci_lower "
        "real, ci_upper real, p_value real, proportional truth?, remedy text",
        *rate("p_value"),
    ),
    "friction": promise(
        "20_survival",
        "aggregate",
        "cause* text, term* text, period* text, n whole, events whole, hazard_ratio real, ci_lower "
        "real, ci_upper real, p_value real, proportional truth?, remedy text",
        *rate("p_value"),
    ),
    "clusters": promise(
        "30_clusters",
        "customer",
        "customer_id* text, cluster whole, membership real, outlier_score real, nearest_segment "
        "text?, nearest_probability real?",
        at_least("cluster", -1),
        *rate("membership", "outlier_score", "nearest_probability"),
    ),
    "members": promise("30_clusters", "customer", "customer_id* text, segment* text"),
    "cluster_model": promise(
        "30_clusters",
        "customer",
        "customer_id* text, segment text?, min_samples whole, core_distance real, born_at real?",
        at_least("core_distance", 0),
        at_least("born_at", 0),
        further=True,
    ),
    "cluster_trust": promise(
        "30_clusters", "aggregate", "segment* text, check* text, n whole, value real, verdict text"
    ),
    "cluster_sizes": promise(
        "30_clusters",
        "aggregate",
        "min_cluster_size* whole, clusters whole, noise_share real?, persistence real?, validity "
        "real?, found_again real?, stable_clusters whole, share_in_stable real?, chosen truth, "
        "recommended truth",
        *rate("noise_share", "persistence", "found_again", "share_in_stable"),
    ),
    "segments": promise(
        "30_clusters",
        "aggregate",
        "segment* text, name text, kind text, n whole, share_of_customers real, "
        "share_of_amount real?",
        *rate("share_of_customers", "share_of_amount"),
        further=True,
    ),
    "favourites": promise(
        "30_clusters",
        "aggregate",
        "segment* text, what* text, favourite text?, n whole?, share real?, ci_lower real?, "
        "ci_upper real?, share_of_all real?",
        *rate("share", "ci_lower", "ci_upper", "share_of_all"),
    ),
    "known_segments": promise(
        "30_clusters",
        "aggregate",
        "segment* text, name text, first_seen_day whole, last_seen_day whole",
        ordered("first_seen_day", "last_seen_day"),
    ),
    "segment_changes": promise(
        "30_clusters",
        "aggregate",
        "previous_segment* text?, segment* text?, kind text, n whole?, jaccard real?",
        *rate("jaccard"),
    ),
    "migrations": promise(
        "30_clusters",
        "aggregate",
        "previous_segment* text?, segment* text?, moved_by* text, n whole?",
        at_least("n", 0),
    ),
    "retention": promise(
        "40_cohorts",
        "aggregate",
        "definition* text, unit* text, cohort_by* text, cohort* text, age* whole, "
        "until_age* whole, n_start whole?, n_active whole?, retention real?, ci_lower real?, "
        "ci_upper real?",
        *rate("retention", "ci_lower", "ci_upper"),
    ),
    "retention_trends": promise(
        "40_cohorts",
        "aggregate",
        "definition* text, age* whole, cohorts whole, n whole, slope real, ci_lower real, "
        "ci_upper real, dispersion real, p_value real, p_adjusted real",
        at_least("dispersion", 1),
        *rate("p_value", "p_adjusted"),
    ),
    "drop_off": promise(
        "40_cohorts",
        "aggregate",
        "age* whole, n_at_risk whole, n_left whole, drop_off real, ci_lower real, ci_upper real",
        *rate("drop_off", "ci_lower", "ci_upper"),
    ),
    "drop_off_by_cohort": promise(
        "40_cohorts",
        "aggregate",
        "cohort_by* text, cohort* text, age* whole, n whole, gone real, gone_of_others real, "
        "difference real, ci_lower real, ci_upper real, p_value real, p_adjusted real",
        *rate("gone", "gone_of_others", "p_value", "p_adjusted"),
    ),
    "revenue_retention": promise(
        "40_cohorts",
        "aggregate",
        "ledger* text, cohort_by* text, cohort* text, age* whole, n_start whole, n_paying whole, "
        "revenue_cents whole, gross real?, ci_lower_gross real?, ci_upper_gross real?, net real?, "
        "ci_lower_net real?, ci_upper_net real?",
        at_least("revenue_cents", 0),
        *rate("gross"),
    ),
    "revenue_moves": promise(
        "40_cohorts",
        "aggregate",
        "ledger* text, cohort_by* text, cohort* text, age* whole, move* text, n whole?, "
        "cents whole?",
        at_least("cents", 0),
    ),
    "risk_scores": promise(
        "50_risk",
        "customer",
        "customer_id* text, risk real?, band text, beyond_data truth, reasons text",
        *rate("risk"),
    ),
    "risk_bands": promise(
        "50_risk",
        "aggregate",
        "band* text, n whole?, share real?, mean_risk real?, expected_to_leave real?",
        *rate("share", "mean_risk"),
    ),
    "risk_backtest": promise(
        "50_risk",
        "aggregate",
        "landmark_day* whole, model* text, horizon_days whole, n whole, events whole, auc real, "
        "uno_c real, brier real, calibration_error real, top_decile_lift real",
        *rate("auc", "uno_c", "brier", "calibration_error"),
    ),
    "risk_differences": promise(
        "50_risk",
        "aggregate",
        "model* text, landmarks whole, n whole, auc real, auc_of_ours real, difference real, "
        "ci_lower real, ci_upper real, ours_lower real, ours_upper real",
        *rate("auc", "auc_of_ours", "ours_lower", "ours_upper"),
    ),
    "risk_calibration": promise(
        "50_risk",
        "aggregate",
        "tenth* whole, n whole, left whole?, predicted real?, observed real?, ci_lower real?, "
        "ci_upper real?",
        *rate("predicted", "observed", "ci_lower", "ci_upper"),
    ),
    "risk_gate": promise("50_risk", "aggregate", "verdict* text, sentence text"),
    "usage_decline": promise(
        "50_risk",
        "aggregate",
        "usage* text, n whole?, share real?, ci_lower real?, ci_upper real?, by_chance real?",
        *rate("share", "ci_lower", "ci_upper", "by_chance"),
    ),
    "left_by_usage": promise(
        "50_risk",
        "aggregate",
        "usage* text, n whole?, customers whole?, left whole?, share real?, ci_lower real?, "
        "ci_upper real?",
        *rate("share", "ci_lower", "ci_upper"),
    ),
    "value": promise(
        "60_value",
        "customer",
        "customer_id* text, horizon_days whole, expected_orders real?, expected_days real?, "
        "expected_amount_cents whole?, value_cents whole?, value text",
        at_least("expected_amount_cents", 0),
        at_least("value_cents", 0),
    ),
    "value_holdout": promise(
        "60_value",
        "aggregate",
        "measure* text, by* text, group* text, model* text, n whole?, active whole?, actual real?, "
        "ci_lower real?, ci_upper real?, predicted real?, rmse real?",
    ),
    "renewals": promise(
        "60_value",
        "aggregate",
        "month* whole, at_risk whole, survival real, ci_lower real, ci_upper real, model real, "
        "learnt truth",
        *rate("survival", "ci_lower", "ci_upper", "model"),
    ),
    "concentration": promise(
        "60_value",
        "aggregate",
        "of* text, top_percent* whole, n whole?, share real?, ci_lower real?, ci_upper real?",
        *rate("share", "ci_lower", "ci_upper"),
    ),
    "revenue_by_segment": promise(
        "60_value",
        "aggregate",
        "segment* text, name text, n whole?, share_of_customers real?, amount_cents whole?, "
        "share_of_amount real?, ci_lower real?, ci_upper real?, value_cents whole?, "
        "share_of_value real?, n_judged whole?, value_at_risk_cents whole?",
        *rate("share_of_customers", "share_of_amount", "ci_lower", "ci_upper", "share_of_value"),
    ),
    "next_products": promise(
        "60_value",
        "aggregate",
        "segment* text, bought* text, next* text, n whole, n_next whole, support real, share real, "
        "ci_lower real, ci_upper real, lift real, lift_lower real, lift_upper real, clear truth",
        *rate("support", "share", "ci_lower", "ci_upper"),
    ),
    "findings": promise(
        "99_summary",
        "aggregate",
        "notebook* text, name* text, value real?, unit text, ci_lower real?, ci_upper real?, "
        "previous real?, change real?, comparable truth?, sentence text",
    ),
}
