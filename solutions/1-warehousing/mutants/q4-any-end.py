# answer: q4-recover
# loses: q4-whole-log
# why: Takes a rollback for a commit: both end a transaction.
def recover(log, flushed):
    on_disk = [record for record in log if record["lsn"] <= flushed]
    ended = {record["transaction"] for record in on_disk if record["do"] != "set"}
    sets = [record for record in on_disk if record["do"] == "set"]
    return {record["key"]: record["value"] for record in sets if record["transaction"] in ended}
