"""`make numbers [DATA=DIR]`: print every published number beside the one that comes out here.

DIR holds telco/Telco-Customer-Churn.csv; without it Telco's numbers are left out. Ends with exit
code 1 where a number differs in the digits that are printed.
"""

import sys
from pathlib import Path

from published import classics, compare, telco

customers = telco.read(Path(sys.argv[1])) if sys.argv[1:] else None
rows = []
for data in [*classics.SETS, *["telco"] * (customers is not None)]:
    print(f"\n{data:62} {'expected':>14} {'got':>16} {'within':>8}")
    rows += (found := compare.compare(data, customers))
    print(*map(compare.written, found), sep="\n")

if customers is None:
    print(f"\ntelco: left out; it takes {telco.FILE} in a folder DATA=..., from {telco.ORIGIN}")
if differing := [f"{row.data}: {row.name}" for row in rows if not compare.agrees(row)]:
    sys.exit(f"{len(differing)} of {len(rows)} numbers differ: {'; '.join(differing)}")
print(f"\nAll {len(rows)} numbers agree in the digits that are printed.")
