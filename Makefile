# Each target makes the environment if it is missing, then calls `lab`. Windows has no make: see README.md.
PYTHON ?= python3
LAB = .venv/bin/lab
JOBS ?=

.PHONY: help env book test lab grade lock clean

help:
	@echo "make book    execute every notebook and build the book into _build/html"
	@echo "make test    pass all tests"
	@echo "make lab     open the course in JupyterLab"
	@echo "make grade   grade the submissions under grading/submitted (ASSIGNMENT=1-warehousing)"
	@echo "make lock    write the locks anew"
	@echo "make clean   remove what was built, not the environment"

env:
	@$(PYTHON) env/bootstrap.py

book: env
	$(LAB) run --changed $(if $(JOBS),--jobs $(JOBS))
	$(LAB) book

test: env
	.venv/bin/python -m pytest

lab: env
	$(LAB) open

ASSIGNMENT ?= 1-warehousing
grade: env
	$(LAB) grade $(ASSIGNMENT) $(if $(JOBS),--jobs $(JOBS))

lock:
	$(PYTHON) env/bootstrap.py --lock

clean:
	rm -rf _build
