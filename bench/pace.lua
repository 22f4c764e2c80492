-- An open loop: so many requests fall due a second, whatever becomes of those before them.
local ffi = require("ffi")
ffi.cdef[[
  typedef struct { long seconds, nanoseconds; } moment;
  int clock_gettime(int clock, moment *now);
]]
local MONOTONIC, moment = 1, ffi.new("moment")

local function milliseconds()
  ffi.C.clock_gettime(MONOTONIC, moment)
  return tonumber(moment.seconds) * 1000 + tonumber(moment.nanoseconds) / 1e6
end

-- What wrk calls before each request of a connection: how many milliseconds to wait. A
-- connection that is free takes the next moment, or sends at once what is late.
return function(rate)
  local started, due = nil, 0
  return function()
    started = started or milliseconds()
    due = due + 1000 / rate
    return math.max(0, math.floor(started + due - milliseconds()))
  end
end
