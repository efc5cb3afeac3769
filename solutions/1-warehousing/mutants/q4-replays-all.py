# answer: q4-recover
# loses: q4-whole-log, q4-lost-end
# why: Replays every change that is on disk.
def recover(log, flushed):
    sets = [record for record in log if record["do"] == "set" and record["lsn"] <= flushed]
    return {record["key"]: record["value"] for record in sets}
