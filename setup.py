"""Packaging of bigchaindb; what the tools need is in pyproject.toml."""

from __future__ import annotations

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
VERSION = re.search(r'^__version__ = "(.+)"$', (HERE / "bigchaindb/version.py").read_text(), re.MULTILINE)
assert VERSION is not None  # noqa: S101 - a build without a version must stop

setup(
    name="bigchaindb",
    version=VERSION[1],
    description="A federated asset ledger: nodes of several companies keep one record of who owns what",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    license_files=["LICENSE"],
    python_requires=">=3.11",
    packages=find_packages(include=["bigchaindb", "bigchaindb.*"]),
    package_data={"bigchaindb": ["py.typed", "web/explorer/templates/*", "web/explorer/static/*"]},
    # Each has a record in docs/decisions/.
    install_requires=[
        "PyNaCl>=1.6.2",
        "anyio>=4.11",
        "base58>=2.1.1",
        "click>=8.1.7",
        "fastapi>=0.128",
        "fastapi-offline>=1.7.4",
        "httptools>=0.6.4",
        "httpx>=0.28,<1",
        "jinja2>=3.1.6",
        "prometheus-client>=0.22",
        "pycryptodome>=3.20",
        "pydantic>=2.11",
        "python-rapidjson>=1.20",
        "rethinkdb>=2.4.10",
        "starlette>=0.49.1",
        "uvicorn>=0.52.4",
        'uvloop>=0.22; platform_system != "Windows"',
        "websockets>=15.0",
    ],
    entry_points={"console_scripts": ["bigchaindb = bigchaindb.cli:main"]},
    classifiers=[
        "Development Status :: 4 - Beta",
        "Intended Audience :: Developers",
        "Operating System :: POSIX",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: Database",
        "Typing :: Typed",
    ],
)
