"""nbgrader's settings: where the course keeps what, the same for its pages and for `lab`."""

from pathlib import Path

from lab.grading import formgrader

c = get_config()  # noqa: F821 - nbgrader puts it here

root = Path(__file__).resolve().parent if "__file__" in globals() else Path.cwd()

(root / "grading").mkdir(exist_ok=True)  # or the gradebook could not be made there

c.CourseDirectory.root = str(root)
c.CourseDirectory.course_id = ""
c.CourseDirectory.source_directory = "solutions"
c.CourseDirectory.release_directory = "exercises"
c.CourseDirectory.submitted_directory = "grading/submitted"
c.CourseDirectory.autograded_directory = "grading/autograded"
c.CourseDirectory.feedback_directory = "grading/feedback"
c.CourseDirectory.db_url = f"sqlite:///{root / 'grading' / 'gradebook.db'}"
# What lies beside a solution and is not for students.
c.CourseDirectory.ignore = [
    ".ipynb_checkpoints",
    "*.pyc",
    "__pycache__",
    ".pytest_cache",
    "mutants",
]
c.ExportApp.plugin_class = "nbgrader.plugins.export.CsvExportPlugin"

# Formgrader's Autograde button and `nbgrader autograde` would run students' code with your rights;
# this makes them grade as `lab grade` does. One line, to be left out where nbgrader is compared.
formgrader.install()
