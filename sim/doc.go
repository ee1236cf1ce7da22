// Package sim is the ground of the simulators: the events of the trace that they all write. Its folders are the device side of every
// protocol that posd speaks, the cards, the hosts, and the world that owns them. Nothing that is flashed imports it.
package sim
