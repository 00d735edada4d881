/* The page of an open call goes on when its script does not run. For any browser. */
onload = function () {
  if (!window.anjuRuns) setTimeout(function () { location.reload(); }, 10000);
};
