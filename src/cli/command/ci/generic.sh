#!/bin/sh
# Verifies the work of this repository with mustdo, and fails where the policy does not hold: run it in the repository's
# root. The reports are mustdo.html, for people, and mustdo.xml (JUnit), for the build server.
set -eu
MUSTDO_GIT=${MUSTDO_GIT:-{source}}
command -v mustdo >/dev/null ||
  cargo install --locked --git "${MUSTDO_GIT:?is the git address to install mustdo from}" mustdo
# Install here what your targets need to run: a language, packages, a database.
exec mustdo{directory} --no-input verify --no-record --report html=mustdo.html --report junit=mustdo.xml
