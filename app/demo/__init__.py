"""The demonstration: seed data of 扬中市, and a community day played over HTTP."""
