"""Which customers behave alike, and can we trust the groups? What `30_clusters` shows."""

from retention.clusters.clusters import behaviour, fit, tree, who_is_counted
from retention.clusters.personas import by_state, profiles
from retention.clusters.segmentation import segmentation
