from setuptools import Extension, setup

setup(name="inversions", version="1.0", ext_modules=[Extension("inversions", ["inversions.c"])])
