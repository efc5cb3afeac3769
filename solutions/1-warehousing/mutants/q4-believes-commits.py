# answer: q4-recover
# loses: q4-lost-end
# why: Believes each commit in the log, on disk or not.
def recover(log, flushed):
    committed = {record["transaction"] for record in log if record["do"] == "commit"}
    sets = [record for record in log if record["do"] == "set"]
    return {record["key"]: record["value"] for record in sets if record["transaction"] in committed}
