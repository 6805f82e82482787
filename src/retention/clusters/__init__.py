"""Which customers behave alike, and can we trust the groups? What `30_clusters` shows."""

from retention.clusters.clusters import behaviour, fit, tree, who_is_counted
from retention.clusters.personas import profiles, segment_map
from retention.clusters.segmentation import segmentation

__all__ = ["behaviour", "fit", "profiles", "segment_map", "segmentation", "tree", "who_is_counted"]
