"""``python scripts/demo``: replay camera frames through the segmentation node and show the result."""

import sys

from cli import main

sys.exit(main())
