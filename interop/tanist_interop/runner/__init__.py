"""The runner: carries a scenario out, writes the history, has it judged and reported.

``crew`` holds the client programs and waits for what they say, ``warden`` plays the resource
manager, ``soak`` strikes again and again; ``play`` is one run from the first process to the
verdict, ``campaign`` is a number of runs with their reports.
"""
