"""`python -m fastgd`: see `fastgd.cli`."""

import sys

from .cli.main import main

sys.exit(main())
