"""Pack the rows of finished runs: results/NAME.jsonl into results/NAME.jsonl.xz.

python benchmarks/pack.py
"""

from __future__ import annotations

from _harness import RESULTS, Store

PLAIN = {"agreement", "limits", "mutation", "verify"}
"""Those that are small and that their scripts read as they are."""

if __name__ == "__main__":
    for path in sorted(RESULTS.glob("*.jsonl")):
        if path.stem not in PLAIN:
            Store(path).pack()
            print(f"packed: {path.stem}.jsonl.xz")
