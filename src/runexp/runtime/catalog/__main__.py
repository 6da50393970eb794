"""`python -m runexp.runtime.catalog` rewrites the files shipped with runexp."""

from runexp.runtime.catalog.generate import generate

for folder in generate(replace_shipped=True):
    print(folder)
