"""``python -m celeriac.run MODULE:APP TASK``."""

import os
import sys

from celeriac.run.main import main

if __name__ == "__main__":
    main(sys.argv[1:], os.environ)
