"""WeChat's server API: a thin client that raises named refusals."""
