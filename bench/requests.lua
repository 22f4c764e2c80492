-- Sends each line of a file once: method, path, token, Idempotency-Key, body, If-None-Match.
-- Threads share the lines by turns. When they are used up the thread stops.
-- Arguments: file, number of threads, once or again, requests a second (0: no limit).
local open_loop = dofile(debug.getinfo(1, "S").source:match("^@(.*/)") .. "pace.lua")
local threads = 0
local lines = {}
local at = 0

function setup(thread)
  thread:set("id", threads)
  threads = threads + 1
end

function init(args)
  local count = tonumber(args[2])
  local number = 0
  for line in io.lines(args[1]) do
    if number % count == id then
      local part = {}
      for cell in (line .. "\t"):gmatch("([^\t]*)\t") do part[#part + 1] = cell end
      local headers = {}
      if part[3] ~= "" then headers["Authorization"] = "Bearer " .. part[3] end
      if part[4] ~= "" then headers["Idempotency-Key"] = part[4] end
      if part[6] ~= "" then headers["If-None-Match"] = part[6] end
      local body = nil
      if part[5] ~= "" then
        body = part[5]
        headers["Content-Type"] = "application/json"
      end
      lines[#lines + 1] = wrk.format(part[1], part[2], headers, body)
    end
    number = number + 1
  end
  once = args[3] == "once"
  local rate = tonumber(args[4])
  if rate > 0 then delay = open_loop(rate / count) end
end

function request()
  at = at + 1
  if at > #lines then
    if once then wrk.thread:stop() end
    at = 1
  end
  return lines[at]
end

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    "RESULT %d %d %d %d %d %d %d %d\n", summary.requests, summary.duration,
    errors.status, errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50), latency:percentile(90), latency:percentile(99), latency.max))
end
