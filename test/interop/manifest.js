// SPDX-License-Identifier: LGPL-2.1-or-later
//
// manifest.js FILE - whether each document of a manifest is what Kubernetes asks for
//
// The schemas come from its own description of its interface; they know what is needed and of which
// type, and let pass what they do not know. Prints JSON: kinds, faults, and the files of ConfigMaps.
"use strict";
const fs = require("fs");
const yaml = require("yaml");

const MODELS = { Namespace: "v1", ConfigMap: "v1", DaemonSet: "apps/v1" };
const found = { kinds: [], faults: [], files: {} };

function look(manifest) {
    const { kind } = manifest;

    if (!MODELS[kind] || manifest.apiVersion !== MODELS[kind])
        throw new Error(`kind ${kind} of ${manifest.apiVersion} is not known here`);
    const Model = require(`kubernetes-models/${MODELS[kind]}/${kind}`)[kind];
    new Model(manifest).validate();
    found.kinds.push(kind);
    Object.assign(found.files, kind === "ConfigMap" ? manifest.data : {});
}

for (const document of yaml.parseAllDocuments(fs.readFileSync(process.argv[2], "utf8"))) {
    try {
        if (document.errors.length > 0)
            throw document.errors[0];
        look(document.toJS());
    } catch (error) {
        found.faults.push(error.message);
    }
}
console.log(JSON.stringify(found));
