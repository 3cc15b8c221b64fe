import csv
import io
import json

import pyarrow as pa

from curation.report.query import write_rows


def test_a_map_a_list_and_a_struct_are_each_a_cell_of_json():
    reasons = [[("truncated", 3), ("too_short", 1)], None]
    rows = pa.table({
        "stage": ["s06", "s07"],
        "reasons": pa.array(reasons, pa.map_("string", "int64")),
        "bands": pa.array([[1, 2], []], pa.list_(pa.int64())),
        "edges": pa.array([{"low": 0.5, "name": "ä, b"}, None]),
    })  # fmt: skip
    stream = io.BytesIO()
    write_rows(rows, stream)
    first, second = csv.DictReader(io.StringIO(stream.getvalue().decode()))
    assert json.loads(first["reasons"]) == {"truncated": 3, "too_short": 1}
    assert (json.loads(first["bands"]), json.loads(second["bands"])) == ([1, 2], [])
    assert json.loads(first["edges"]) == {"low": 0.5, "name": "ä, b"}
    assert (second["reasons"], second["edges"], second["stage"]) == ("", "", "s07")
