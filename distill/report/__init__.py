"""``kd_seg report``: evaluated runs side by side, as one HTML page with its plots beside it."""
