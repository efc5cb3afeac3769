"""The course's own package: real services, real data, runs, the book and grading."""

import os

# Nothing in the course reports to anyone. Set before any of these tools is imported; a child
# inherits it.
_QUIET = {
    "DO_NOT_TRACK": "1",
    "DAGSTER_DISABLE_TELEMETRY": "yes",
    "DATAHUB_TELEMETRY_ENABLED": "false",
    "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    "DVC_NO_ANALYTICS": "1",
    "FEAST_USAGE": "False",
    "FEAST_TELEMETRY": "False",
    "GX_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "RUNTIME__DLTHUB_TELEMETRY": "false",
    "SODA_CORE_TELEMETRY_ENABLED": "false",
    "TESTCONTAINERS_RYUK_DISABLED": "true",  # our guard does its work, for processes too
}
for _name, _value in _QUIET.items():
    os.environ.setdefault(_name, _value)
