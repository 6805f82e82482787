"""Who is likely to leave next, and how good is that guess? What `50_risk` shows."""

from retention.risk.backtest import calibration, judge_models, lead, model_scores
from retention.risk.decline import left_by_usage
from retention.risk.landmarks import history, who_is_counted
from retention.risk.risk import bands, looks_at, score, signal_strengths, signals
