"""Reports: text, JSON, JUnit XML and a picture, all made of a verdict's JSON values.

Reports judge nothing; they take what ``Verdict.as_json`` gives (and the picture takes the history).
"""
