"""The look of every chart, whoever draws it: no settings of one's own show in a page."""

from pathlib import Path

from matplotlib import rc_params_from_file

_STYLE = rc_params_from_file(Path(__file__).with_name("charts.mplstyle"), use_default_template=True)
LOOK = {key: value for key, value in _STYLE.items() if "backend" not in key}
TEXT = "#010203"  # stands for the colour of the text around a drawing: see `svg`
