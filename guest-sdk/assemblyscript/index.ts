// So that `import … from "baton-guest"` finds the SDK.
export * from "./assembly/index";
