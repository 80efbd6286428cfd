"""`python -m e2e.chaos`, or `make reliability`: write the figures of the last run of the fault matrix into the page."""

from e2e.chaos.outcomes import FILE, read
from e2e.chaos.page import with_figures
from e2e.chaos.test_matrix import ROWS
from e2e.support.connection import REPOSITORY

PAGE = REPOSITORY / "docs" / "reliability.md"

if __name__ == "__main__":
    names = {name: row.number for name, row in ROWS.items()}
    PAGE.write_text(with_figures(PAGE.read_text(), names, read(FILE)))
    print(f"Written: {PAGE.relative_to(REPOSITORY)}")
