// scene.pov: spheres, a height field of cones, glass, soft light, an isosurface: floating point of every kind POV-Ray has.
#version 3.7;
global_settings { assumed_gamma 1.0 max_trace_level 6 }
camera { location <0, 4, -9> look_at <0, 1, 0> angle 50 }
light_source { <8, 12, -10> rgb 1 area_light <2,0,0>, <0,0,2>, 3, 3 adaptive 1 }
light_source { <-9, 6, -4> rgb <0.3, 0.3, 0.45> shadowless }
sky_sphere { pigment { gradient y color_map { [0 rgb <0.9,0.9,1>] [1 rgb <0.2,0.35,0.8>] } } }
plane { y, 0 pigment { checker rgb 0.9 rgb <0.3,0.35,0.3> } finish { reflection 0.15 } normal { bumps 0.1 scale 0.3 } }
#declare Seed = seed(7);
#for (I, 1, 60)
  sphere { <rand(Seed)*10-5, 0.3+rand(Seed)*0.4, rand(Seed)*8-3>, 0.15+rand(Seed)*0.25
    texture { pigment { granite scale 0.4 color_map { [0 rgb <rand(Seed),0.4,0.3>] [1 rgb <0.9,rand(Seed),0.5>] } } finish { phong 0.8 } } }
#end
sphere { <-1.7, 1.2, -1>, 1.2 pigment { rgbt <0.95,1,0.97,0.85> } finish { reflection 0.1 specular 0.9 } interior { ior 1.5 } }
isosurface {
  function { x*x + y*y + z*z - 1.4 + 0.25*sin(6*x)*sin(6*y)*sin(6*z) }
  contained_by { sphere { 0, 1.6 } } max_gradient 6
  pigment { rgb <0.8,0.6,0.2> } finish { phong 0.6 reflection 0.1 } translate <1.8, 1.5, 0>
}
torus { 1.1, 0.25 rotate <70, 20, 0> translate <0.2, 2.3, 2> pigment { wood scale 0.3 } finish { specular 0.5 } }
