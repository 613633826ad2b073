"""The nanoferry.yaml files of the example session: what no picture knows, at level nffa-core."""

from __future__ import annotations

PROJECT = """\
# What holds for the whole project. The nearest nanoferry.yaml on the way to a file wins, key by key.
project:
  name: NFFA-DEMO-042
  identifier: NFFA-DEMO-042
  description: Example project of Nanoferry. The pictures are generated, the people are not real.
proposal: DEMO-2025-017
accessType: transnational-access
facility:
  name: Example Microscopy Centre
people:
  - name: Josiah Carberry
    orcid: 0000-0002-1825-0097
    role: principal-investigator
dataLevel: raw
"""

SAMPLE = """\
sample:
  name: {name}
  description: {description}
  formula: {formula}
"""

SESSION = """\
title: {title}
purpose: {purpose}
technique: {technique}
operator:
  name: {operator_name}
instrument:
  name: {instrument}
  manufacturer: {manufacturer}
  model: {model}
  serialNumber: "{serial}"
software: {software}
"""
