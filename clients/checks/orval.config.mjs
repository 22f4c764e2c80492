export default {
  qingxiang: {
    input: "../openapi.json",
    output: { mode: "single", target: "./generated/orval.ts", client: "fetch" },
  },
};
