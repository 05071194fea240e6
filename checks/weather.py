"""Custom checks of the table weather, named in its contract as ``weather:physics``.

Code in this folder is trusted: it belongs to the deployment, and none of it comes from a pull request.
"""

from __future__ import annotations

import pandera.pandas as pa

physics = pa.DataFrameSchema(
    columns={
        "temp": pa.Column(float, nullable=True),
        "dewp": pa.Column(float, nullable=True),
        "wind_speed": pa.Column(float, nullable=True),
        "wind_gust": pa.Column(float, nullable=True),
    },
    checks=[
        pa.Check(lambda rows: ~(rows["dewp"] > rows["temp"]), name="dew_point_not_above_temperature"),
        pa.Check(lambda rows: ~(rows["wind_gust"] < rows["wind_speed"]), name="gust_not_below_wind"),
    ],
    strict=False,
)
"""What air does: it holds no more water than its temperature allows, and gusts exceed the mean wind."""
