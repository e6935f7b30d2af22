// Package chart holds the tests of the Helm chart: it renders the chart as Helm
// does and reads every object as strictly as the API server would.
package chart
