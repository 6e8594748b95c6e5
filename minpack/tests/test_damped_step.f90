! SPDX-License-Identifier: BSD-3-Clause
! Copyright (c) The leastsq developers

!> The damped triangular solve and the damping parameter against what defines them.
program test_damped_step
    use kinds, only: wp, eps
    use reductions, only: reduction, factor
    use damped_solve, only: qrsolv, leading_rank
    use lm_parameter, only: lmpar
    use testing, only: check, check_at_most, check_equal, finish, digits_of
    use matrices, only: random_matrix, random_vector, graded_matrix, upper_triangle, scaled_difference, length, &
        column_norms, greatest
    implicit none (type, external)

    real(wp) :: jac(12, 4), ones(4), graded_scale(4)
    integer :: k

    ones = 1.0_wp
    graded_scale = [1.0e5_wp, 1.0_wp, 1.0e-5_wp, 1.0e2_wp]
    do k = 1, 3
        call check_damped(random_matrix(12, 4), abs(random_vector(4)), "random")
    end do
    call check_damped(random_matrix(4, 4), ones, "m = n")
    call check_damped(random_matrix(1, 1), ones(:1), "one entry")
    call check_damped(random_matrix(12, 4), 1.0e-8_wp*ones, "hardly damped")
    call check_damped(random_matrix(12, 4), 1.0e8_wp*ones, "nothing but damping")
    call check_damped(random_matrix(12, 4), graded_scale, "graded damping")
    call check_damped(random_matrix(12, 4), [1.0_wp, 0.0_wp, 2.0_wp, 0.0_wp], "two parameters damped")
    call check_damped(graded_matrix(12, 4, 1.0e-4_wp), 1.0e-6_wp*ones, "graded")
    jac = random_matrix(12, 4)
    jac(:, 4) = jac(:, 1) + jac(:, 2)
    call check_damped(jac, 0.1_wp*ones, "rank 3")
    jac(:, 2) = 0.0_wp
    call check_damped(jac, ones, "zero column")
    call check_damped(jac, [1.0_wp, 0.0_wp, 1.0_wp, 1.0_wp], "zero column without damping")
    call check_range()
    call check_undamped()

    do k = 1, 3
        call check_parameter(random_matrix(12, 4), ones, "random")
        call check_parameter(random_matrix(12, 4), graded_scale, "graded scaling")
    end do
    call check_parameter(random_matrix(4, 4), ones, "m = n")
    call check_parameter(random_matrix(3, 1), ones(:1), "one parameter")
    call check_parameter(graded_matrix(12, 4, 1.0e-4_wp), ones, "graded")
    jac = random_matrix(12, 4)
    jac(:, 3) = 0.0_wp
    call check_parameter(jac, ones, "zero column")
    call check_zero_right_hand_side()
    call finish()

contains

    !> S and z of the damped problem for [J; E] z = [f; 0].
    subroutine check_damped(jac, e, what)
        real(wp), intent(in) :: jac(:, :)
        real(wp), intent(in) :: e(:)
        character(*), intent(in) :: what

        real(wp), dimension(size(e), size(e)) :: s, normal
        real(wp), dimension(size(e)) :: z, scale, work, work2
        real(wp) :: f(size(jac, 1))
        type(reduction) :: reduced
        integer :: j, m, n

        m = size(jac, 1)
        n = size(e)
        f = random_vector(m)
        reduced = factor(jac, f)
        call qrsolv(n, reduced%r, reduced%ipvt, e, reduced%qtf, z, s, work, work2)

        normal = matmul(transpose(jac(:, reduced%ipvt)), jac(:, reduced%ipvt))
        do j = 1, n
            normal(j, j) = normal(j, j) + e(reduced%ipvt(j))**2
        end do
        scale = sqrt(column_norms(jac)**2 + e**2)
        s = upper_triangle(s)
        call check_at_most(scaled_difference(matmul(transpose(s), s), normal, scale(reduced%ipvt)), 2*m*n*eps, &
                           what//": error of Sᵀ S = Pᵀ (Jᵀ J + E²) P")
        call check_minimiser(jac, f, e, z, what)
    end subroutine check_damped

    !> The gradient of ‖J z - f‖² + ‖E z‖² is zero, to the rounding of a backward stable solution.
    subroutine check_minimiser(jac, f, e, z, what)
        real(wp), intent(in) :: jac(:, :)
        real(wp), intent(in) :: f(:)
        real(wp), intent(in) :: e(:)
        real(wp), intent(in) :: z(:)
        character(*), intent(in) :: what

        real(wp) :: gradient(size(e)), scale(size(e)), rounding

        scale = max(sqrt(column_norms(jac)**2 + e**2), tiny(1.0_wp))
        gradient = (matmul(matmul(jac, z) - f, jac) + e**2*z)/scale
        rounding = 2*size(jac)*eps*(sum(scale*abs(z)) + norm2(f))
        call check_at_most(greatest(gradient), rounding, what//": gradient at the minimiser")
    end subroutine check_minimiser

    !> Rotations neither overflow nor lose the smaller entry when R and E lie far apart.
    subroutine check_range()
        real(wp), parameter :: r(1, 1) = 1.0_wp, qtf(1) = 1.0_wp
        real(wp) :: z(1), s(1, 1), work(1), work2(1)
        real(wp), parameter :: dampings(*) = [1.0e200_wp, 1.0e-200_wp]
        integer :: k

        do k = 1, size(dampings)
            call qrsolv(1, r, [1], dampings(k:k), qtf, z, s, work, work2)
            call check_at_most(abs(s(1, 1)/max(1.0_wp, dampings(k)) - 1.0_wp), 2*eps, "far apart: relative error of S")
            call check(z(1) >= 0.0_wp .and. z(1) <= 1.0_wp, "far apart: the solution is damped")
        end do
        call qrsolv(1, 1.0e200_wp*r, [1], [1.0e200_wp], 1.0e200_wp*qtf, z, s, work, work2)
        call check_at_most(abs(z(1) - 0.5_wp), 4*eps, "both huge: error of z")
    end subroutine check_range

    !> Without damping S is R, and a singular R gives the solution of its leading block.
    subroutine check_undamped()
        real(wp) :: r(4, 4), s(4, 4), z(4), zeros(4), work(4), work2(4)
        type(reduction) :: reduced
        integer :: j

        zeros = 0.0_wp
        reduced = factor(random_matrix(12, 4), random_vector(12))
        do j = 1, 5
            r = reduced%r
            r(j:min(j, 4), j:min(j, 4)) = 0.0_wp
            call check_equal(leading_rank(4, r), j - 1, "undamped: rank")
            call qrsolv(4, r, reduced%ipvt, zeros, reduced%qtf, z, s, work, work2)
            call check(all(upper_triangle(s) == r), "undamped: S is R")
            call check(all(z(reduced%ipvt(j:)) == 0.0_wp), "undamped: nothing from the first zero on")
            z = z(reduced%ipvt)
            call check_at_most(greatest(matmul(r(:j - 1, :j - 1), z(:j - 1)) - reduced%qtf(:j - 1)), &
                               4*eps*sum(abs(z))*greatest(r), "undamped: residual of the leading block")
        end do
        reduced%r(2, 2) = 0.0_wp
        reduced%r(4, 4) = 0.0_wp
        call check_equal(leading_rank(4, reduced%r), 1, "undamped, two zeros: rank")
    end subroutine check_undamped

    !> Steps for bounds above and below the Gauss-Newton step, from guesses of all sizes.
    subroutine check_parameter(jac, d, what)
        real(wp), intent(in) :: jac(:, :)
        real(wp), intent(in) :: d(:)
        character(*), intent(in) :: what

        real(wp), parameter :: fractions(*) = [0.9_wp, 0.5_wp, 1.0e-1_wp, 1.0e-3_wp, 1.0e-6_wp]
        real(wp), parameter :: guesses(*) = [0.0_wp, 1.0e-10_wp, 1.0_wp, 1.0e10_wp]
        real(wp) :: f(size(jac, 1)), z(size(d)), gauss_newton(size(d)), zeros(size(d)), par, delta, full
        type(reduction) :: reduced
        integer :: i, k, n

        n = size(d)
        zeros = 0.0_wp
        f = random_vector(size(f))
        reduced = factor(jac, f)
        par = 1.0_wp
        call find_step(reduced, d, huge(1.0_wp), par, gauss_newton)
        full = length(d*gauss_newton)
        call check(par == 0.0_wp, what//": the Gauss-Newton step within a wide bound needs no damping")
        call check_minimiser(jac, f, zeros, gauss_newton, what//", Gauss-Newton")
        call find_step(reduced, d, full/1.05_wp, par, z)
        call check(par == 0.0_wp .and. all(z == gauss_newton), what//": a step 5 % too long is not damped")

        do i = 1, size(fractions)
            do k = 1, size(guesses)
                delta = fractions(i)*full/1.05_wp
                par = guesses(k)
                call find_step(reduced, d, delta, par, z)
                call check(par > 0.0_wp, what//": a step too long is damped, bound "//digits_of(i))
                call check_at_most(abs(length(d*z) - delta), 0.1_wp*delta*(1.0_wp + 10*n*eps), &
                                   what//": length of the step, bound "//digits_of(i)//", guess "//digits_of(k))
                call check_minimiser(jac, f, sqrt(par)*d, z, what//", bound "//digits_of(i)//", guess "//digits_of(k))
            end do
        end do
    end subroutine check_parameter

    subroutine find_step(reduced, d, delta, par, z)
        type(reduction), intent(in) :: reduced
        real(wp), intent(in) :: d(:)
        real(wp), intent(in) :: delta
        real(wp), intent(inout) :: par
        real(wp), intent(out) :: z(:)

        real(wp) :: s(size(d), size(d)), work(size(d), 3)

        call lmpar(size(d), reduced%r, reduced%ipvt, d, reduced%qtf, delta, par, z, s, &
                   work(:, 1), work(:, 2), work(:, 3))
    end subroutine find_step

    !> At a stationary point there is nowhere to go.
    subroutine check_zero_right_hand_side()
        real(wp) :: z(3), par, zeros(7)

        zeros = 0.0_wp
        par = 1.0_wp
        call find_step(factor(random_matrix(7, 3), zeros), ones(:3), 1.0_wp, par, z)
        call check(par == 0.0_wp .and. all(z == 0.0_wp), "zero right-hand side: no step, no damping")
    end subroutine check_zero_right_hand_side

end program test_damped_step
