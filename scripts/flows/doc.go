// Package flows is the two stories of the product with a real kernel, real devices that come and go, the real agent as a
// service and the real console; build tag lab. With the tag wine it is the agent's life as a Windows service under Wine
// (scripts/wine), with the tag msi that of its package. It never touches devices of the machine it runs on.
package flows
