"""Which customers behave alike, and can we trust the groups? What `30_clusters` shows."""

from retention.clusters.clusters import behaviour, fit, tree, who_is_counted
from retention.clusters.personas import by_state, profiles
from retention.clusters.segmentation import segmentation

__all__ = ["behaviour", "by_state", "fit", "profiles", "segmentation", "tree", "who_is_counted"]
