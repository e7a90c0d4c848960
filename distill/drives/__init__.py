"""Drives, recorded or replayed, and their scores.

A bag that ``segment_bag`` wrote is scored by ``bag_scores``, with labels from ``labels``. A drive (``drive``)
is replayed through the running node by ``replay``, in real time or in lock-step. ``recorder`` keeps what the
node publishes, ``recording`` reads it back, ``recording_scores`` scores it and ``replay_report`` sums it up.
"""
