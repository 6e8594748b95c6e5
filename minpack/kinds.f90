! SPDX-License-Identifier: BSD-3-Clause
! Copyright (c) The leastsq developers

!> Working precision, machine constants and the named codes every other module speaks in.
module kinds
    use, intrinsic :: iso_fortran_env, only: int64, real64
    implicit none (type, external)
    private

    integer, parameter, public :: wp = real64                  !! working precision
    integer, parameter, public :: long = int64                 !! for positions in large arrays

    real(wp), parameter, public :: eps = epsilon(1.0_wp)       !! spacing of numbers at 1
    real(wp), parameter, public :: smallest = tiny(1.0_wp)     !! smallest positive normal number
    real(wp), parameter, public :: largest = huge(1.0_wp)      !! largest finite number
    real(wp), parameter, public :: not_a_number = transfer(-1_long, 1.0_wp)

    !> Rows reduced together. Up to this many rows a Jacobian gets the classic pivoted QR, with every
    !> sum taken in the plain order; taller ones are folded block by block, each block in cache.
    integer, parameter, public :: row_block = 512

    ! Exit codes 0 to 8 are those of MINPACK; a negative one is a stop asked for by the caller.
    integer, parameter, public :: info_improper_input = 0
    integer, parameter, public :: info_ftol = 1                !! reductions of the sum of squares at most ftol
    integer, parameter, public :: info_xtol = 2                !! change between iterates at most xtol
    integer, parameter, public :: info_ftol_and_xtol = 3
    integer, parameter, public :: info_gtol = 4                !! residual orthogonal to the Jacobian within gtol
    integer, parameter, public :: info_maxfev = 5
    integer, parameter, public :: info_ftol_too_small = 6
    integer, parameter, public :: info_xtol_too_small = 7
    integer, parameter, public :: info_gtol_too_small = 8
    ! Codes of our own.
    integer, parameter, public :: info_running = -1000         !! not finished
    integer, parameter, public :: info_trial_not_finite = 9    !! step shrank away from residuals that are not finite
    integer, parameter, public :: info_start_not_finite = 10
    integer, parameter, public :: info_jacobian_not_finite = 11
    integer, parameter, public :: info_infeasible = 18         !! the start is outside of the bounds

    ! What the iteration asks its caller to do next.
    integer, parameter, public :: task_done = 0
    integer, parameter, public :: task_residuals = 1           !! evaluate the residuals at x
    integer, parameter, public :: task_jacobian = 2            !! evaluate the Jacobian at x
    integer, parameter, public :: task_wrong_size = 3          !! the arrays handed in do not have the agreed size

end module kinds
